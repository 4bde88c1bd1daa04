"""The face for programs: an MCP server. Its tools hand off and look; what is a person's to decide, no tool decides."""
