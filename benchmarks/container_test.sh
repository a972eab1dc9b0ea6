#!/usr/bin/env bash
# The image, built for real by buildah on a base that mmdebstrap makes, and the demo in it as another user (as root; 15 GB).
# Where pip needs a configuration of your own, name its file in PIP_CONFIG_FILE, and more folders to show in MOUNTS.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
store=(--storage-driver vfs --root "$folder/store" --runroot "$folder/run")
trap 'buildah "${store[@]}" rm --all >/dev/null; rm -rf "$folder"' EXIT
version=$(ls -t dist/wsi_scale-*.whl | head -n 1 | sed 's/.*wsi_scale-\([^-]*\)-.*/\1/')

mmdebstrap --variant=minbase --include=ca-certificates bookworm "$folder/base.tar"
scratch=$(buildah "${store[@]}" from scratch)
buildah "${store[@]}" add --quiet "$scratch" "$folder/base.tar" / >/dev/null
rm "$folder/base.tar"
buildah "${store[@]}" commit --quiet --rm "$scratch" wsi-scale-base >/dev/null

mounts=()
for place in ${PIP_CONFIG_FILE:-} ${MOUNTS:-}; do mounts+=(--volume "$place:$place:ro"); done
with=()
for name in PIP_CONFIG_FILE PIP_INDEX_URL PIP_CERT SSL_CERT_FILE; do
  if [ -n "${!name:-}" ]; then with+=(--env "$name"); fi
done
buildah "${store[@]}" build --isolation chroot --layers=false --build-arg BASE=localhost/wsi-scale-base \
  "${mounts[@]}" "${with[@]}" --tag wsi-scale .

container=$(buildah "${store[@]}" from localhost/wsi-scale)
mkdir "$folder/slides" "$folder/results"
chown 1234:1234 "$folder/slides" "$folder/results"
in_it() {
  buildah "${store[@]}" run --isolation chroot --user 1234:1234 \
    --volume "$folder/slides:/slides" --volume "$folder/results:/results" "$container" -- "$@"
}
in_it wsi-scale --version | grep -F "$version"
in_it wsi-scale doctor
in_it wsi-scale demo /slides
in_it wsi-scale run /slides/demo-1_doubling.tiff -o /results/slide
in_it wsi-scale workflow --cores 2 --quiet --directory /results --config slides=/slides results=/results/all
test -s "$folder/results/slide/report.html" && test -s "$folder/results/all/report.html"
test "$(stat -c %u "$folder/results/all/report.html")" = 1234
buildah "${store[@]}" images
echo "the image works"
