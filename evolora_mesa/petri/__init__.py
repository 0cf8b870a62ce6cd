"""How the embedded host `models/petri` is made: its corpus, its tokenizer, its training and its model card."""
