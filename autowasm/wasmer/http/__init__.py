"""A server of files by HTTP/1.1 and HTTP/2: knows requests and answers, and nothing of modules."""
