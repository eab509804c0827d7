"""The server: routes, the protocol's requests and answers, statements in threads."""
