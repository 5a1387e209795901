# Every cipher of openssl enc: what it makes of a message, and that decrypting
# gives the message back; public keys whose signatures are determined; a
# connection by TLS for each suite.
cd /tmp || exit 1
seq 1 3000 >message
key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
providers="-provider default -provider legacy"
iv=f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff

one_cipher()
{
    # shellcheck disable=SC2086
    openssl enc $providers "$1" -K "$2" -iv "$3" -in message -out coded \
        2>error || {
        echo "$1 not by this program"
        return
    }
    openssl enc $providers -d "$1" -K "$2" -iv "$3" -in coded -out plain \
        2>error
    cmp -s message plain && echo "$1 $(sha256sum <coded)" || echo "$1 WRONG"
}

for caps in "" "0:0"; do
    [ -z "$caps" ] || export OPENSSL_ia32cap=$caps
    echo "capabilities '$caps'"
    for cipher in $(openssl enc -list | sed 1d); do
        # Key wrapping is for keys, and may choose random numbers.
        case $cipher in *wrap*) continue ;; esac
        one_cipher "$cipher" $key $iv
    done
done
unset OPENSSL_ia32cap

# Keys are made from the random numbers of this program, so only right or wrong
# is said of what was signed with them.
for kind in "RSA -pkeyopt rsa_keygen_bits:2048" \
    "EC -pkeyopt ec_paramgen_curve:P-256" \
    "EC -pkeyopt ec_paramgen_curve:secp384r1" "ED25519" "ED448"; do
    # shellcheck disable=SC2086
    openssl genpkey -algorithm $kind -out private 2>error
    openssl pkey -in private -pubout -out public
    openssl pkeyutl -sign -rawin -inkey private -in message -out signed
    openssl pkeyutl -verify -rawin -pubin -inkey public -in message \
        -sigfile signed
done

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout server.key -out server.crt -subj /CN=localhost -days 3000 2>error
for suite in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 \
    TLS_CHACHA20_POLY1305_SHA256; do
    openssl s_server -quiet -accept 4433 -key server.key -cert server.crt \
        -ciphersuites $suite -www </dev/null >/dev/null 2>&1 &
    server=$!
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        sleep 1
        printf 'GET / HTTP/1.0\r\n\r\n' | timeout 20 openssl s_client \
            -quiet -connect 127.0.0.1:4433 -CAfile server.crt \
            >got 2>/dev/null
        [ -s got ] && break
    done
    kill $server
    wait $server
    grep -q "Cipher *: $suite" got && echo "$suite right" ||
        echo "$suite WRONG"
done
