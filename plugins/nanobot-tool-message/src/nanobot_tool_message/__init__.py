"""One tool that sends messages and files to chats."""
