"""What others look at while a run goes on: files for TensorBoard, made of the run's own records."""

from pipeline.watching.board import FOLDER, Board

__all__ = ["FOLDER", "Board"]
