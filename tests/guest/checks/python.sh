# Python's own tests of numbers, digests, compression and patterns.
cd /tmp || exit 1
python3.11 -m test -v test_float test_math test_cmath test_struct test_int \
    test_decimal test_hashlib test_zlib test_re 2>&1
echo "exit code $?"
python3.11 -c 'import hashlib, sys, platform, math, struct
print(sys.version, platform.machine(), sys.float_info)
print(hashlib.sha256(repr([math.sin(x / 7) * math.exp(x / 999) for x in
    range(-50000, 50000)]).encode()).hexdigest())'
