# The rights that the session needs on its server.

# A local account that is an administrator gets a remote token without its rights
# unless LocalAccountTokenFilterPolicy is set. Every later error would be harder
# to understand.
function Assert-Elevated {
    [CmdletBinding()]
    param()

    if (-not (Test-Elevated)) {
        Stop-Script -Id 'NotElevated' -Message 'the account runs without administrator rights on this server'
    }
}

# What a session needs in order to reach the SharePoint farm. The SharePoint task
# has another version of this function, in task/rights.ps1.
function Assert-FarmRights {
    [CmdletBinding()]
    param()

    Assert-Elevated
}
