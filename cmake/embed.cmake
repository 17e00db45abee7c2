set(arrays "")
set(table "")
set(index 0)
foreach(file ${FILES})
  file(RELATIVE_PATH name ${ROOT} ${file})
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "constexpr unsigned char asset_${index}[] = {${bytes}0};\n")
  string(APPEND table "    {\"${name}\", {reinterpret_cast<const char*>(asset_${index}), sizeof asset_${index} - 1}},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUTPUT} "#include \"repartee/base/embedded_assets.hpp\"
namespace {
${arrays}}
namespace repartee {
std::span<const EmbeddedAsset> embedded_assets()
{
  static const EmbeddedAsset table[] = {
${table}  };
  return table;
}
}
")
