#!/bin/sh
# Fetches GPT-2's weights from Hugging Face into weights/NAME/model.safetensors.
# Usage: weights/fetch.sh gpt2|gpt2-large
# An interrupted download is resumed. Size and SHA-256 are checked before the file gets its final
# name, so that a file of that name is always whole. VIMACH_HUB overrides the server's address.
set -u
hub=${VIMACH_HUB:-https://huggingface.co}
name=${1:-}

fail() {
    echo "error: $*" >&2
    exit 1
}

# Each model is pinned to one revision. The size and hash of gpt2-large are read from the hub.
case $name in
    gpt2)
        revision=607a30d783dfa663caf39e06633721c8d4cfcd7e
        size=548105171
        hash=248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707 ;;
    gpt2-large)
        revision=32b71b12589c2f8d625668d2335a01cac3249519
        size= hash= ;;
    *)
        echo "usage: weights/fetch.sh gpt2|gpt2-large" >&2
        exit 2 ;;
esac
folder=$(dirname "$0")/$name
final=$folder/model.safetensors
part=$final.part
url=$hub/openai-community/$name/resolve/$revision/model.safetensors

# download URL FILE: continues FILE where it ends; gives up on a server that sends nothing for 30 s.
if command -v curl >/dev/null; then
    download() {
        curl -fL --retry 3 --connect-timeout 20 --speed-limit 1 --speed-time 30 -C - -o "$2" "$1"
    }
elif command -v wget >/dev/null; then
    download() { wget -c --tries=3 --timeout=30 -O "$2" "$1"; }
else
    fail "neither curl nor wget is installed: run apt-get install curl"
fi

byte_count() { wc -c < "$1" | tr -d ' '; }
hash_of() { sha256sum "$1" | cut -d ' ' -f 1; }

mkdir -p "$folder" || fail "cannot create $folder: check the permissions"

# Where the hash is not known, take it from the pointer file that the hub keeps for large files.
if [ -z "$hash" ]; then
    pointer=$folder/pointer.part
    rm -f "$pointer"
    download "$hub/openai-community/$name/raw/$revision/model.safetensors" "$pointer" ||
        fail "cannot read the size and hash of $name from $hub: check the network, and try again"
    hash=$(sed -n 's/^oid sha256:\([0-9a-f]\{64\}\)$/\1/p' "$pointer")
    size=$(sed -n 's/^size \([0-9][0-9]*\)$/\1/p' "$pointer")
    rm -f "$pointer"
    [ -n "$hash" ] && [ -n "$size" ] || fail "$hub sent no pointer file for $name: try again later"
fi

if [ -f "$final" ] && [ "$(hash_of "$final")" = "$hash" ]; then
    echo "$final is already there and whole"
    exit 0
fi

# Refuse to begin what the disk cannot hold.
have=0
[ -f "$part" ] && have=$(byte_count "$part")
free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
[ $(((size - have) / 1024)) -lt "$free" ] ||
    fail "the disk of $folder lacks $(((size - have) / 1048576)) MiB: free some space"

# A complete part needs no download; one that is too long cannot become right.
[ "$have" -gt "$size" ] && rm -f "$part"
if [ ! -f "$part" ] || [ "$(byte_count "$part")" -lt "$size" ]; then
    download "$url" "$part" ||
        fail "the download of $url failed: check the network, then run weights/fetch.sh $name again"
fi
have=$(byte_count "$part")
[ "$have" -ge "$size" ] ||
    fail "the download ended after $have of $size bytes: run weights/fetch.sh $name again"

if [ "$have" -ne "$size" ] || [ "$(hash_of "$part")" != "$hash" ]; then
    rm -f "$part"
    fail "what $hub sent is not the published file (its SHA-256 differs): it was removed; try again"
fi
mv -f "$part" "$final" || fail "cannot rename $part to $final: check the permissions"
echo "$final: $size bytes, SHA-256 $hash"
