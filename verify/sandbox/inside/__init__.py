"""What runs inside a sandbox slot. Standard library only; nothing here is trusted to know an expected output."""
