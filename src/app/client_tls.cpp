#include "client_tls.hpp"

namespace repartee::app {

Result<std::shared_ptr<const net::TlsContext>> ClientTls::trusting(const std::string& ca_file)
{
    auto& context = contexts_[ca_file];
    if (!context) {
        auto made = net::TlsContext::client(ca_file);
        if (!made) return made.error();
        context = std::make_shared<const net::TlsContext>(std::move(*made));
    }
    return context;
}

}  // namespace repartee::app
