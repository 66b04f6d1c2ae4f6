package powershell

// EncodeCommand is exported for tests.
var EncodeCommand = encodeCommand
