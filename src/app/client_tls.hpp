#pragma once
#include "repartee/net/tls_context.hpp"

#include <map>
#include <memory>
#include <string>

namespace repartee::app {

/// TLS towards services: one context for each file of authorities, shared by all workers. Asked only while they are made, by one thread.
class ClientTls {
public:
    Result<std::shared_ptr<const net::TlsContext>> trusting(const std::string& ca_file);

private:
    std::map<std::string, std::shared_ptr<const net::TlsContext>> contexts_;
};

}  // namespace repartee::app
