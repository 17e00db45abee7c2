#pragma once

namespace repartee::net {

/// Makes OpenSSL take the blocks of its record layer from this thread's store: it wants and returns a 16 KiB buffer and some small ones with every
/// record, so that quiet connections hold none, and busy ones never reach the allocator. Before anything else of OpenSSL; further calls do nothing.
void install_tls_memory();

}  // namespace repartee::net
