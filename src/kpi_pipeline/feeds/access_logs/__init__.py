"""Page views from the access logs of web servers."""
