"""JSON documents on disk: read strictly, and replaced in one step.

What is used is imported from its module, so that nothing else costs time: `document`,
`strict_json`, `writing`.
"""
