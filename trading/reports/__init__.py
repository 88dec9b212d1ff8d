"""Reports as data: sections of text, tables and figures, without any format."""
