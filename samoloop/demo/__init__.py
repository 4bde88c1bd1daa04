"""A scripted child that plays whole sessions with no model and no network, and the demo that shows one."""
