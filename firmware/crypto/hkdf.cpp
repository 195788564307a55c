// SPDX-License-Identifier: Apache-2.0
#include "crypto/hkdf.hpp"

#include <psa/crypto.h>

#include "core/secret.hpp"

namespace sealcam::crypto {

namespace {

/// One derivation; what PSA keeps of the secret is wiped when it is aborted.
class Derivation {
 public:
  explicit Derivation(psa_algorithm_t algorithm) { status_ = psa_key_derivation_setup(&operation_, algorithm); }
  Derivation(const Derivation&) = delete;
  Derivation& operator=(const Derivation&) = delete;
  ~Derivation() { psa_key_derivation_abort(&operation_); }

  Derivation& input(psa_key_derivation_step_t step, ByteView value) {
    if (status_ == PSA_SUCCESS)
      status_ = psa_key_derivation_input_bytes(&operation_, step, c_bytes(value), value.size());
    return *this;
  }
  Result<> output(MutableBytes out) {
    if (status_ == PSA_SUCCESS) status_ = psa_key_derivation_output_bytes(&operation_, c_bytes(out), out.size());
    if (status_ == PSA_SUCCESS) return {};
    wipe(out);
    return fail(Errc::crypto, "HKDF", status_);
  }

 private:
  psa_key_derivation_operation_t operation_ = PSA_KEY_DERIVATION_OPERATION_INIT;
  psa_status_t status_;
};

psa_algorithm_t algorithm(HkdfHash hash) { return hash == HkdfHash::sha256 ? PSA_ALG_SHA_256 : PSA_ALG_SHA_512; }

}  // namespace

Result<> hkdf_extract(HkdfHash hash, ByteView salt, ByteView input, MutableBytes prk) {
  SC_ASSERT(prk.size() == PSA_HASH_LENGTH(algorithm(hash)));
  return Derivation(PSA_ALG_HKDF_EXTRACT(algorithm(hash)))
      .input(PSA_KEY_DERIVATION_INPUT_SALT, salt)
      .input(PSA_KEY_DERIVATION_INPUT_SECRET, input)
      .output(prk);
}

Result<> hkdf_expand(HkdfHash hash, ByteView prk, ByteView info, MutableBytes out) {
  return Derivation(PSA_ALG_HKDF_EXPAND(algorithm(hash)))
      .input(PSA_KEY_DERIVATION_INPUT_SECRET, prk)
      .input(PSA_KEY_DERIVATION_INPUT_INFO, info)
      .output(out);
}

}  // namespace sealcam::crypto
