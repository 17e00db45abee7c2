#!/bin/sh
# Makes a throw-away certificate authority and a server certificate for localhost, so that every contestant verifies a real chain.
#   certificates.sh OUT_DIR        writes ca.pem, server.pem (leaf, then CA), server.key; valid for two days
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUT_DIR" >&2; exit 1; }
mkdir -p "$1"
cd "$1"
umask 077
curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

cat >ca.cnf <<EOF
[req]
distinguished_name = name
prompt = no
x509_extensions = authority
[name]
CN = Repartee benchmark CA
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
EOF
cat >server.cnf <<EOF
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
EOF

# shellcheck disable=SC2086
openssl req -x509 $curve -days 2 -config ca.cnf -keyout ca.key -out ca.pem 2>openssl.log
# shellcheck disable=SC2086
openssl req $curve -config ca.cnf -subj /CN=localhost -keyout server.key -out server.csr 2>>openssl.log
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.cnf -extensions server -out leaf.pem 2>>openssl.log
cat leaf.pem ca.pem >server.pem
openssl verify -CAfile ca.pem -verify_hostname localhost leaf.pem >>openssl.log 2>&1
