"""The experiments of Penkin, Khvostikov and Krylov (2022), one command a figure, with what they leave out."""
