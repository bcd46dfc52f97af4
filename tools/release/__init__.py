"""What a release needs beside the code: a bill of materials, a lock with hashes, and the word go or no-go."""
