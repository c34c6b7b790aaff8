"""What a backup of one tenant is made of, byte by byte (decision 0038): pure, nothing here reaches a store or a disk by itself.

`archive` is the content: a head, the tenant's objects, its keys, and an end that says how many there were. `envelope` keeps it
secret and whole: compressed content in sealed frames. Written and read by `reconcile.archiving`, in a Job.
"""
