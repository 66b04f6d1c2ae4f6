# The rights that the account of the task needs, in place of prelude/rights.ps1.

# None: the account is not an administrator and need not be one. So when it cannot
# reach the farm, the cause is not a token without administrator rights, which is
# what this function finds in a remote session.
function Assert-FarmRights {
    [CmdletBinding()]
    param()
}
