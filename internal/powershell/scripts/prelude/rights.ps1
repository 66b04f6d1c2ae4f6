# The rights that a session has on its server.

# Remote administrators that are local accounts get a token without their
# rights unless LocalAccountTokenFilterPolicy is set; better said at once.
function Assert-Elevated {
    [CmdletBinding()]
    param()

    if (-not (Test-Elevated)) {
        Stop-Script -Id 'NotElevated' -Message 'the account runs without administrator rights on this server'
    }
}
