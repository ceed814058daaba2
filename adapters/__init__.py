"""适配器 Agencies: one folder each, translating between Xianjie's terms and that agency's own message format."""
