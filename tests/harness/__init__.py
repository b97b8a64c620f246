"""What the end-to-end tests share: the running program, its models, raw HTTP and resource readings."""
