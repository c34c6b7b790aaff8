"""A tunnel from a tenant's API server to its nodes: agents on the nodes dial out to a proxy server beside the API server.

`server` are its credentials here, `sidecar` what the pods and the Service take in, `agent` what runs inside the tenant, and
`release` says which images, and how agents learn how many proxy servers there are. All of it goes with the addon's block.
"""
