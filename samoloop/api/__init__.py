"""What a person or a program can do with sessions. Every face calls this room and nothing below it."""
