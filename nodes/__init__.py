"""The nodes of the graph: each is a function from the state to its update that changes nothing else.

`choice`, `model`, `prompting`, `replies` and `state` are what the nodes share; `thinking`, `turns` and
`markdown_code` are parts of `replies`.
"""
