# Every digest and MAC of openssl, on messages of many lengths, by the code
# that it chooses for this processor and by its plain one.
cd /tmp || exit 1
seq 1 20000 >numbers
for size in 0 1 3 55 56 63 64 65 111 112 127 128 129 1000 65536; do
    head -c $size numbers >message.$size
done

# The empty message and "abc" (FIPS 180-4, RFC 1321).
printf abc >abc
echo "known answers"
for what in "sha1 a9993e364706816aba3e25717850c26c9cd0d89d" \
    "md5 900150983cd24fb0d6963f7d28e17f72" \
    "sha224 23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" \
    "sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" \
    "sha3-256 3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"
do
    # shellcheck disable=SC2086
    set -- $what
    [ "$(openssl dgst "-$1" -r abc | cut -d ' ' -f 1)" = "$2" ] &&
        echo "$1 right" || echo "$1 WRONG"
done

for caps in "" ":0" "0:0"; do
    [ -z "$caps" ] || export OPENSSL_ia32cap=$caps
    echo "capabilities '$caps'"
    for digest in $(openssl list -digest-commands); do
        openssl dgst "-$digest" -r message.*
    done
    openssl dgst -sha512 -hmac secret -r message.*
    for mac in "-digest SHA256 -macopt hexkey:00112233 HMAC" \
        "-cipher AES-256-CBC -macopt \
hexkey:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff CMAC" \
        "-macopt hexkey:00112233445566778899aabbccddeeff SIPHASH" \
        "-macopt \
hexkey:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff \
Poly1305"; do
        # shellcheck disable=SC2086
        openssl mac -in message.65536 $mac
    done
done
