"""The fault suite: strikes at the running product while events flow, and then every view must equal the log's fold."""
