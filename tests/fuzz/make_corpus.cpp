// SPDX-License-Identifier: Apache-2.0
// usage: make_corpus FOLDER
// Writes FOLDER/<fuzzer>/<name> for every fuzzer, with the project's own code: what a device really sends or stores is
// what a fuzzer should begin with. Keys and contents are the same each time (cast.hpp); signatures, sealed grants and
// TLS keys are not, since they draw random numbers: files that hold them change when this runs again, and mean the
// same.
#include <cstdio>

#include "cast.hpp"
#include "corpus_parts.hpp"

using namespace sealcam;
using namespace sealcam::fuzz;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_corpus FOLDER\n");
    return 2;
  }
  (void)cast();  // starts the crypto library
  Seeds seeds(argv[1]);
  sframe_seeds(seeds);
  cbor_seeds(seeds);
  cose_seeds(seeds);
  control_seeds(seeds);
  inspector_seeds(seeds);
  frame_seeds(seeds);
  state_seeds(seeds);
  name_seeds(seeds);
  json_seeds(seeds);
  pem_seeds(seeds);
  tap_seeds(seeds);
  web_seeds(seeds);
  h264_seeds(seeds);
  watcher_seeds(seeds);
  pairing_seeds(seeds);
  std::printf("%zu seeds, %zu bytes\n", seeds.count(), seeds.bytes());
}
