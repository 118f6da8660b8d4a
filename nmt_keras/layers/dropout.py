"""Dropout over sequences."""

import keras


def sequence_dropout(rate: float) -> keras.layers.Layer:
    """Dropout of features of (B, T, d) sequences, with one mask for all T positions of a sentence.

    Sharing the mask over time is the recurrent networks' variational dropout (Gal and Ghahramani 2016) and the
    Transformers' broadcast dropout (Mesh TensorFlow, T5). Here it also saves a factor T of random numbers, which XLA
    draws slowly on a CPU.
    """
    return keras.layers.Dropout(rate, noise_shape=(None, 1, None))
