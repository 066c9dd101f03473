#!/bin/sh
# Makes the certificates of the tests anew: an authority, a broker on 127.0.0.1, a client, and a client of nobody's authority.
# They open nothing but the brokers that the tests start.
set -eu
cd "$(dirname "$0")"
days=36500
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.pem" -days $days -subj "/CN=examon-dec test $1"
}
signed() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
  printf '%s\n' "$2" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -out "$1.pem" -days $days -extfile "$1.ext"
  rm "$1.csr" "$1.ext"
}
authority ca
authority stranger
signed broker 'subjectAltName=IP:127.0.0.1,DNS:localhost'
signed client 'extendedKeyUsage=clientAuth'
cat broker.key broker.pem ca.pem > broker-keystore.pem
openssl pkcs8 -topk8 -in client.key -out client-encrypted.key -passout pass:correct-horse
rm broker.key broker.pem ca.key ca.srl
