"""Society: what organelles do with one another beside merging, each mechanism a switch of its own."""
