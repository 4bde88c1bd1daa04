"""What the worker finds out by itself before it believes a child: facts of the tree, plan, documents, checks."""
