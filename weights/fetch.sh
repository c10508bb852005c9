#!/bin/sh
# Fetches GPT-2's weights from Hugging Face into weights/NAME/model.safetensors, or chapter 3's page
# from Wikipedia into weights/led-page/page.html.
# Usage: weights/fetch.sh gpt2|gpt2-large|led-page
# An interrupted download of weights is resumed. Size and SHA-256 are checked before the file gets
# its final name, so that a file of that name is always whole. A page has no published size or hash:
# only its two marks are checked. A second run at the same time is refused.
# VIMACH_HUB overrides the server's address, VIMACH_STALL how many seconds a transfer waits for its
# next byte (15); a connection gets half of that. One more try, and it gives up within a minute.
set -u
stall=${VIMACH_STALL:-15}
case $stall in
    *[!0-9]* | 0*)
        echo "error: VIMACH_STALL='$stall' is no number of seconds: set 1 or more" >&2
        exit 1 ;;
esac
brief=$(((stall + 1) / 2))
name=$*
again="run weights/fetch.sh $name again"

fail() {
    echo "error: $*" >&2
    exit 1
}

# Each model is pinned to one revision. The size and hash of gpt2-large are read from the hub.
site=https://huggingface.co see=openai-community/$name saved_as=model.safetensors
case $name in
    gpt2)
        revision=607a30d783dfa663caf39e06633721c8d4cfcd7e
        size=548105171
        hash=248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707 ;;
    gpt2-large)
        revision=32b71b12589c2f8d625668d2335a01cac3249519
        size='' hash='' ;;
    led-page)
        site=https://en.wikipedia.org see=wiki/Light-emitting_diode saved_as=page.html ;;
    *)
        echo "usage: weights/fetch.sh gpt2|gpt2-large|led-page" >&2
        exit 2 ;;
esac
hub=${VIMACH_HUB:-$site}
folder=$(dirname "$0")/$name
final=$folder/$saved_as
part=$final.part

byte_count() { if [ -f "$1" ]; then wc -c < "$1" | tr -d ' '; else echo 0; fi; }
hash_of() { sha256sum "$1" | cut -d ' ' -f 1; }
# Between these two marks stands what chapter 3 reads; they may stand on one line or on many.
has_marks() {
    [ -f "$1" ] && [ -n "$(LC_ALL=C tr 'A-Z\n' 'a-z ' < "$1" |
        LC_ALL=C sed -n 's/.*mw-body-content.*id="references".*/both/p')" ]
}
is_whole() { [ "$(byte_count "$1")" -eq "$size" ] && [ "$(hash_of "$1")" = "$hash" ]; }

for tool in flock sha256sum; do
    command -v $tool >/dev/null ||
        fail "$tool is not installed: run apt-get install util-linux coreutils"
done

# download URL FILE: continues FILE where it ends, and leaves in `trouble` what went wrong: nothing,
# "disk", "stalled", "broken", "HTTP 404", or the exit status. Progress is for terminals only.
if command -v curl >/dev/null; then
    progress=--silent
    [ -t 2 ] && progress=--progress-bar
    download() {
        http=$(curl "$progress" -fL -A vimach --connect-timeout "$brief" --speed-limit 1 \
            --speed-time "$stall" -C - -o "$2" -w '%{http_code}' "$1")
        code=$?
        trouble="curl's exit status $code"
        case $code in
            0) trouble='' ;;
            18 | 52 | 55 | 56 | 92) trouble=broken ;;
            22) trouble="HTTP $http" ;;
            23) trouble=disk ;;
            28) trouble=stalled ;;
            33) rm -f "$2" && download "$1" "$2" ;;  # the server cannot continue: begin anew
        esac
    }
elif command -v wget >/dev/null; then
    progress=--progress=dot:giga
    [ -t 2 ] && progress=--show-progress
    # Where the server cannot continue, wget skips what is already there.
    download() {
        log=$(LC_ALL=C wget "$progress" -U vimach -c --tries=1 --dns-timeout="$brief" \
            --connect-timeout="$brief" --read-timeout="$stall" -O "$2" -o /dev/stdout "$1")
        code=$?
        http=$(echo "$log" | sed -n 's/.* ERROR \([0-9]*\).*/HTTP \1/p')
        trouble=${http:-"wget's exit status $code"}
        case $code:$log in
            0:*) trouble='' ;;
            3:*) trouble=disk ;;
            *'timed out'*) trouble=stalled ;;
            *'at byte'*) trouble=broken ;;
        esac
    }
else
    fail "neither curl nor wget is installed: run apt-get install curl"
fi

# fail_download WHEN: ends the run after a download that met trouble.
fail_download() {
    case $trouble in
        disk) fail "cannot write in $folder $1: free some space there, then $again" ;;
        stalled) fail "$hub sent nothing for $stall s $1: check the network, then $again" ;;
        broken) fail "the connection to $hub broke $1: check the network, then $again" ;;
        HTTP*) fail "$hub answered $trouble $1: see $hub/$see, or try later" ;;
        *) fail "cannot reach $hub ($trouble) $1: check the network, then $again" ;;
    esac
}

# Gives the finished part its final name, and says WHAT it is. To the disk before the name, so that
# a power failure leaves no half file under it either.
finish() {
    { sync "$part" && mv -fT "$part" "$final"; } 2>/dev/null ||
        fail "cannot rename $part to $final: move away what stands there, then $again"
    echo "$final: $*"
}

# A whole file needs neither a lock nor the network.
end_if_whole() {
    [ -n "$hash" ] && is_whole "$final" || return 0
    echo "$final is already there and whole"
    exit 0
}
[ "$name" = led-page ] || end_if_whole

# What is written here must not end up elsewhere, through a link, or wait for a reader, in a fifo.
lock=$folder/fetch.lock
for file in "$lock" "$part"; do
    if [ -L "$file" ] || { [ -e "$file" ] && [ ! -f "$file" ]; }; then
        fail "$file is no ordinary file: remove it, then $again"
    fi
done

# The lock ends with this run, and with a download that outlives it because this run was killed.
{ mkdir -p "$folder" && touch "$lock"; } 2>/dev/null ||
    fail "cannot write in $folder: check its permissions"
exec 9>> "$lock"
flock -n 9 || fail "another run is fetching $name: wait until it ends"

# A page is taken anew from its first byte: half of yesterday's does not fit today's.
if [ "$name" = led-page ]; then
    if has_marks "$final"; then
        echo "$final is already there; remove it to fetch today's page"
        exit 0
    fi
    rm -f "$part"
    download "$hub/$see" "$part"
    [ -z "$trouble" ] || fail_download "when asked for the page"
    if ! has_marks "$part"; then
        rm -f "$part"
        fail "what $hub sent has no mw-body-content with id=\"References\" after it: removed; $again"
    fi
    finish "$(byte_count "$part") bytes with both marks; a page that anyone may edit has no" \
        "published hash, today's SHA-256 is $(hash_of "$part")"
    exit 0
fi

# Where the hash is not known, take it from the pointer file that the hub keeps for large files.
if [ -z "$hash" ]; then
    pointer=$folder/pointer.part
    rm -f "$pointer"
    download "$hub/$see/raw/$revision/$saved_as" "$pointer"
    [ -z "$trouble" ] || fail_download "when asked for the size and hash of $name"
    hash=$(sed -n '2s/^oid sha256:\([0-9a-f]\{64\}\)$/\1/p' "$pointer")
    size=$(sed -n '3s/^size \([0-9]\{1,12\}\)$/\1/p' "$pointer")
    rm -f "$pointer"
    case $hash:$size in
        :* | *:) fail "$hub sent no pointer file for $name: try again later" ;;
    esac
fi

end_if_whole

# A part that is too long cannot become right. Refuse to begin what the disk cannot hold.
have=$(byte_count "$part")
[ "$have" -le "$size" ] || { rm -f "$part"; have=0; }
need=$(((size - have) / 1024 + 1))
free=$(df -Pk "$folder" | sed -n '2s/.* \([0-9]*\)  *[0-9]*% .*/\1/p')
[ "${free:-$need}" -ge "$need" ] ||
    fail "$folder has $((free / 1024)) MiB free, $name needs $((need / 1024 + 1)) MiB more:" \
        "free some space, then $again"

# A complete part needs no download. A broken download goes on as long as each attempt brings more,
# so at most two in a row wait for nothing.
trouble='' before=-1
while [ "$have" -lt "$size" ] && [ "$have" -gt "$before" ]; do
    [ "$before" -lt 0 ] || sleep 1
    before=$have
    download "$hub/$see/resolve/$revision/$saved_as" "$part"
    have=$(byte_count "$part")
    case $trouble in stalled | broken) ;; *) break ;; esac
done
[ -z "$trouble" ] || fail_download "after $have of $size bytes"

if ! is_whole "$part"; then
    rm -f "$part"
    fail "what $hub sent is not the published file (its size or SHA-256 differs): removed; $again"
fi
finish "$size bytes, SHA-256 $hash"
