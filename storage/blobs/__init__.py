"""Where the bytes are: stores of blobs, named by the hash of what they hold."""
