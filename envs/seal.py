"""Note the files under workflow/resources as they are now, which are verified whenever they are read."""

from taskreason.shipped import MANIFEST, seal

if __name__ == "__main__":
    seal()
    print(f"{MANIFEST}: written")
