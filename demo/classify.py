#!/usr/bin/env python3
"""Classifies a photograph with a running server: classify.py [PHOTOGRAPH] [--url HOST:PORT]"""

import argparse
import pathlib
import sys

import photograph
import v2_client


def classify_and_print(path, url, model="efficientnet_lite0", top=5):
    """Prints the `top` classes of the photograph at `path`; returns them, most probable first."""
    images = photograph.load(path)
    classes = v2_client.classify(url, model, "images", images, "probabilities", top)
    print(f"{pathlib.Path(path).name}, by {model}:")
    for probability, index, label in classes:
        print(f"  {probability:7.4f}  {label} ({index})")
    return classes


def main():
    parser = argparse.ArgumentParser(description="Classifies a photograph with a running server.")
    parser.add_argument("photograph", nargs="?", help="image file (default: a cup of coffee)")
    parser.add_argument("--url", default="127.0.0.1:8000", metavar="HOST:PORT")
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--top", type=int, default=5, help="how many classes to print")
    arguments = parser.parse_args()
    try:
        path = arguments.photograph or photograph.example_path()
        classify_and_print(path, arguments.url, arguments.model, arguments.top)
    except (OSError, v2_client.InferenceError) as error:
        sys.exit(f"classify: {error}")


if __name__ == "__main__":
    main()
