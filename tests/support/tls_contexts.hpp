#pragma once
#include "repartee/net/tls_context.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace repartee::testing {

/// A server's and a client's context that trust each other, made once for all tests of a program.
struct TlsContexts {
    std::string folder = [] {
        char name[] = "/tmp/repartee-tls-XXXXXX";
        return std::string(::mkdtemp(name));
    }();
    net::SelfSignedFiles files = net::ensure_self_signed(folder).value();
    net::TlsContext server = net::TlsContext::server(files.certificate_file, files.key_file).value();
    net::TlsContext client = net::TlsContext::client(files.certificate_file).value();
    ~TlsContexts() { std::filesystem::remove_all(folder); }
};

inline const TlsContexts& tls_contexts()
{
    static const TlsContexts made;
    return made;
}

}  // namespace repartee::testing
