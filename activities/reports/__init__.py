"""Reports: load the records, build, render to Markdown and HTML, keep."""
