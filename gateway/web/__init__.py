"""网页与接口 The HTTP side: the parties' API, the clerks' console and the public pages."""
