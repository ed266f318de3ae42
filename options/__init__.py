"""Every option of the three scripts, declared once; standard library only, so --help is instant."""
