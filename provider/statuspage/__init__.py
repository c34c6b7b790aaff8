"""The status page (docs/status-page.md): a fleet, a tenant, the stores, for people with a browser. It writes nothing.

`server` speaks HTTP, `reviews` asks the API server who somebody is and what he may see, `watching` holds what is shown while
somebody looks, `pages` and `answers` say what each page is told, `static/` runs in the browser. Imported when its port is set.
"""
