"""What a run keeps on disk: the journal, dataset shards, readers, exports, the dataset card."""
