"""What a run of a classic model amounted to: read from its newest checkpoint, told as a page, as Markdown, as JSON.

`reading` measures the run's log; `sections` and `comparing` make a document of what was found, which is written down as
that of our own worlds is.
"""
