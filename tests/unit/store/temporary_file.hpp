#pragma once
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace repartee::store {

/// A path for a database in a folder of its own that goes when the test does.
class TemporaryFile {
public:
    TemporaryFile()
    {
        std::string name = (std::filesystem::temp_directory_path() / "repartee_store_XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
        folder_ = name;
    }
    ~TemporaryFile() { std::filesystem::remove_all(folder_); }
    TemporaryFile(const TemporaryFile&) = delete;

    std::string path(const std::string& name = "test.db") const { return (folder_ / name).string(); }

private:
    std::filesystem::path folder_;
};

}  // namespace repartee::store
