# The environment and the code; data, weights and results are mounted (docs/python.md).
FROM python:3.12-slim

# Where PyTorch comes from: for CPUs alone, which is small; https://pypi.org/simple has CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

WORKDIR /app
COPY requirements.txt requirements-timm.txt constraints.txt ./
RUN pip install --no-cache-dir -c constraints.txt --index-url "$TORCH_INDEX" torch torchvision \
    && pip install --no-cache-dir -c constraints.txt -r requirements.txt -r requirements-timm.txt
COPY . .

# Any user may run it (docker run --user), also one whom the image does not know: caches go to /tmp.
ENV HOME=/tmp USER=user PYTHONUNBUFFERED=1
USER 1000:1000
CMD ["python", "predict.py", "--help"]
