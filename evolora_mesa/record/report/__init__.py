"""What a run amounted to: read from its store alone, told as a page, as Markdown, as JSON, and as moving pictures.

`reading` takes the facts out of the store; `sections` and `compare` make a `document` of them, which `page` and
`markdown` write down.
"""
