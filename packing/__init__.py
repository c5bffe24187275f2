"""Chat to tokens and loss mask, row planning, streaming packer, packed datasets."""
